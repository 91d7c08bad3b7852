"""Makes countries.csv, networks.csv and prefixes.csv; README.md says from what and under which licences.

    pip install phonenumbers==9.0.43
    python3 make.py carrier_list.textpb serviceproviders.xml MccTable.java
"""
import csv, re, sys, unicodedata
import xml.etree.ElementTree as ET

import phonenumbers as pn
from phonenumbers.carrierdata import CARRIER_DATA
from phonenumbers.geodata.locale import LOCALE_DATA

# Territories that have no mobile country code of their own and use that of another.
BORROWED = {
    "GG": "234", "JE": "234", "IM": "234", "AX": "244", "SJ": "242", "CC": "505", "CX": "505", "NF": "505",
    "EH": "604", "MQ": "340", "MF": "340", "BL": "340", "BQ": "362", "SX": "362", "YT": "647", "IO": "995",
    "AC": "658", "TA": "658",
}
# Of several codes of one country: the one under which its own networks are priced, where that is not the smallest.
FIRST = {"US": "310", "JP": "440", "IN": "404", "CN": "460", "GB": "234"}
NAMES = {"TA": "Tristan da Cunha", "AC": "Ascension Island", "XK": "Kosovo"}
# Names that the sources have not followed.
NEWER = {
    "43403": "Uzmobile CDMA", "43404": "Beeline", "43405": "Ucell", "43406": "Perfectum", "43407": "Mobiuz",
    "43408": "Uzmobile", "43409": "EVO",
}
# What carriers are called in the numbering data and nowhere else.
ALIASES = {"Uzbektelecom": "Uzmobile"}
# Satellite and other networks of no country.
INTERNATIONAL = ("901", ["870", "881", "882", "883"])


def table(path):
    """MCC -> (ISO, fewest digits of an MNC)."""
    rows = re.findall(r'new MccEntry\((\d+),\s*"(\w\w)",\s*(\d)', open(path).read())
    return {mcc: (iso.upper(), int(digits)) for mcc, iso, digits in rows}


def carriers(path):
    """(MCC+MNC, name, is the whole network and not a part of it), in the file's order."""
    for block in re.split(r"^carrier_id \{", open(path).read(), flags=re.M)[1:]:
        name = re.search(r'carrier_name: "(.*)"', block)
        for attribute in re.findall(r"carrier_attribute \{(.*?)\}", block, flags=re.S):
            whole = not re.search(r"gid|spn|imsi|iccid|apn|plmn", attribute)
            for tuple_ in re.findall(r'mccmnc_tuple: "(\d+)"', attribute):
                if name:
                    yield tuple_, name.group(1), whole


def providers(path):
    for provider in ET.parse(path).getroot().iter("provider"):
        name = next((n.text for n in provider.findall("name") if not n.attrib), None)
        for network in provider.iter("network-id"):
            yield network.get("mcc") + network.get("mnc"), name


def networks(mccs, carrier_list, service_providers):
    found = {}

    def add(code, name):
        name = " ".join((name or "").replace('"', "").split())
        name = re.sub(r"^(.*), Inc\.?$", r"\1", name)[:60]
        mcc, mnc = code[:3], code[3:]
        if mcc in mccs and name and len(mnc) in (2, 3) and len(mnc) >= mccs[mcc][1] and mnc.isdigit():
            found.setdefault(code, name)

    for code, name in NEWER.items():
        add(code, name)
    rows = list(carriers(carrier_list))
    for code, name, whole in rows:
        if whole:
            add(code, name)
    for code, name in providers(service_providers):
        add(code, name)
    for code, name, _ in rows:
        add(code, name)
    return found


def region_of(calling_code, national):
    return pn.region_code_for_number(pn.PhoneNumber(country_code=calling_code, national_number=int(national)))


def shared(calling_code, regions):
    """The shortest prefixes of the regions that share a calling code with a larger one, by asking for numbers of each
    block of four digits (three in North America)."""
    lengths = {n for r in regions for n in pn.PhoneMetadata.metadata_for_region(r).general_desc.possible_length}
    depth = 3 if calling_code == 1 else 4
    under = {}
    for block in range(10 ** (depth - 1), 10**depth):
        seen = {
            region_of(calling_code, f"{block}{fill}"[:length])
            for length in lengths if length > depth
            for fill in ("2345678999999", "5555555555555", "0000000000000")
        } - {None}
        for cut in range(1, depth + 1):
            under.setdefault(str(block)[:cut], set()).update(seen)
    whole = {block: next(iter(seen)) for block, seen in under.items() if len(seen) == 1 and regions[0] not in seen}
    for block, region in whole.items():
        if block[:-1] not in whole:
            yield f"{calling_code}{block}", region


def plain(name):
    name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", name)
    drop = {"mobile", "telecom", "ltd", "limited", "the", "communications", "wireless", "cellular", "gsm", "llc", "inc"}
    return "".join(w for w in words if w not in drop) or "".join(words)


def alias(name):
    return ALIASES.get(name, name)


def name_of(region):
    by_language = LOCALE_DATA.get(region, {})
    name = by_language.get("en", "")
    return by_language[name[1:]] if name.startswith("*") else name


def main(carrier_list, service_providers, mcc_table):
    mccs = table(mcc_table)
    names = {region: name_of(region) for region in pn.SUPPORTED_REGIONS} | NAMES
    codes = {}
    for mcc, (iso, _) in sorted(mccs.items()):
        codes.setdefault(iso, []).append(mcc)
    first = {iso: FIRST.get(iso, all_[0]) for iso, all_ in codes.items()} | BORROWED
    with open("countries.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        for iso, all_ in sorted(codes.items()):
            calling = pn.country_code_for_region(iso)
            out.writerow([iso, names[iso], " ".join(sorted(all_, key=lambda m: m != first[iso])), calling])
        out.writerow(["", "International networks", INTERNATIONAL[0], ""])
    known = networks(mccs | {"901": ("", 2)}, carrier_list, service_providers)
    with open("networks.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(sorted(known.items()))

    prefixes = {}
    for calling_code, regions in sorted(pn.COUNTRY_CODE_TO_REGION_CODE.items()):
        if regions[0] in first:
            prefixes[str(calling_code)] = first[regions[0]]
        if len(regions) > 1:
            prefixes |= {prefix: first[iso] for prefix, iso in shared(calling_code, regions)}
    prefixes |= {prefix: INTERNATIONAL[0] for prefix in INTERNATIONAL[1]}
    country = lambda prefix: next((prefixes[prefix[:n]] for n in range(len(prefix), 0, -1) if prefix[:n] in prefixes), None)
    brands = {}
    for code, name in sorted(known.items()):
        brands.setdefault((mccs.get(code[:3], ("", 0))[0], plain(name)), code)
    exact, total = {}, 0
    for prefix, by_language in CARRIER_DATA.items():
        total += 1
        mcc = country(prefix)
        code = mcc and brands.get((mccs.get(mcc, ("", 0))[0], plain(alias(by_language.get("en", "")))))
        # A prefix whose holder is not known stands for the country, so that no shorter one speaks for it.
        exact[prefix] = code or mcc
    merged = {p: v for p, v in (prefixes | exact).items() if v}
    kept = {}
    for prefix in sorted(merged, key=len):
        above = next((merged[prefix[:n]] for n in range(len(prefix) - 1, 0, -1) if prefix[:n] in merged), None)
        if above != merged[prefix]:
            kept[prefix] = merged[prefix]
    with open("prefixes.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(sorted(kept.items()))
    named = sum(len(v) > 3 for v in exact.values())
    print(f"{len(codes)} countries, {len(known)} networks, {len(kept)} prefixes; {named} of {total} blocks have a network")


main(*sys.argv[1:])
