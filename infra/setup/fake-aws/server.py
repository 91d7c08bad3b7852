"""AWS as far as Terraform looks at it: moto's server, with repairs.

    server.py -H 127.0.0.1 -p 5555

moto leaves out a few things that the provider reads back after it wrote them; without the repairs the second plan would
not be empty, or a wait would not end. Every repair says what is wrong. They are made for the moto of requirements.txt
and reach into its insides: after an upgrade, take one away at a time and see whether `make infra-test` still holds.
"""

import os
import sys

# Policies that AWS itself brings are there only when moto is asked for them.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

import repairs_compute  # noqa: F401
import repairs_data  # noqa: F401
import repairs_delivery  # noqa: F401
import repairs_queues  # noqa: F401
from moto.server import main

if __name__ == "__main__":
    main(sys.argv[1:])
