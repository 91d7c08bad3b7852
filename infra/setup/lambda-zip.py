"""Packs a program for AWS Lambda: lambda-zip.py <program> <zip>. The same program makes the same bytes."""

import sys
import zipfile

program, target = sys.argv[1:]
# The runtime looks for this name. Time and rights are fixed, so that nothing of this machine gets in.
entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
entry.create_system = 3
entry.external_attr = 0o100755 << 16
entry.compress_type = zipfile.ZIP_DEFLATED
with open(program, "rb") as source, zipfile.ZipFile(target, "w") as packed:
    packed.writestr(entry, source.read(), compresslevel=9)
