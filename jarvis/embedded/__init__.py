"""What `jarvis serve` starts when nothing is configured: Postgres, llama-server, one supervisor over them.

Linux only. Nothing here reads settings or the environment's JARVIS variables: values come in as arguments.
"""
