"""Sound in and out: every format a client may send to float32 at HEARD_HZ, and answers as files.

Imported when voice is opened: PyAV and numpy take 0.25 s and 35 MB.
"""
