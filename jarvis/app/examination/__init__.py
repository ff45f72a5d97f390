"""The single looks that `jarvis doctor` takes. Each asks and reports; none starts or changes anything."""
