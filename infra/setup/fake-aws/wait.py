"""Waits until somebody answers at the URL of the first argument, for at most two minutes."""

import sys
import time
import urllib.error
import urllib.request

WAIT_SECONDS_MAX = 120
end = time.monotonic() + WAIT_SECONDS_MAX
while True:
    try:
        urllib.request.urlopen(sys.argv[1], timeout=5)
        break
    except urllib.error.HTTPError:
        break
    except OSError as error:
        if time.monotonic() > end:
            sys.exit(f"nobody answers at {sys.argv[1]}: {error}")
        time.sleep(0.2)
