#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""spdx.py DOCUMENT.JSON: what of an SPDX 2.3 document is not as the specification has it, a line each.
Checked are the mandatory fields and the forms of all fields that tests/packages/sbom writes, and the
checksums of files beside the document."""
import hashlib
import json
import re
import sys
from pathlib import Path

ID = r"SPDXRef-[A-Za-z0-9.-]+"
CREATOR = r"(Tool: .+|(Person|Organization): .+)"
# Clause 11: those that this document may use.
RELATIONSHIPS = {"DESCRIBES", "GENERATED_FROM", "STATIC_LINK"}
PURPOSES = {"APPLICATION", "FRAMEWORK", "LIBRARY", "CONTAINER", "OPERATING-SYSTEM", "DEVICE", "FIRMWARE", "SOURCE",
            "ARCHIVE", "FILE", "INSTALL", "OTHER"}
LICENSES = {"Apache-2.0", "LGPL-2.1-or-later", "LGPL-2.1-only", "GPL-2.0-or-later", "GPL-2.0-only", "LGPL-3.0-or-later",
            "GPL-3.0-or-later", "MIT", "BSD-3-Clause", "Zlib"}
EXCEPTIONS = {"GCC-exception-3.1"}
problems = []


def expect(where, what, good):
    if not good:
        problems.append(f"{where}: {what}")


def form(where, values, field, pattern):
    expect(where, f"{field} is {values.get(field)!r}", isinstance(values.get(field), str) and
           re.fullmatch(pattern, values[field]))


def license_is_known(expression):
    return all(part.split(" WITH ")[0] in LICENSES and (" WITH " not in part or part.split(" WITH ")[1] in EXCEPTIONS)
               for part in re.split(r" (?:OR|AND) ", expression))


def check_package(package, folder):
    where = package.get("name", "a package")
    form(where, package, "name", r".+")
    form(where, package, "SPDXID", ID)
    form(where, package, "versionInfo", r".+")
    form(where, package, "downloadLocation", r"NOASSERTION|NONE|[a-z+]+://.+")
    form(where, package, "supplier", r"NOASSERTION|" + CREATOR)
    form(where, package, "copyrightText", r".+")
    expect(where, "filesAnalyzed has to be false: no files are listed", package.get("filesAnalyzed") is False)
    expect(where, "packageVerificationCode is for analysed files", "packageVerificationCode" not in package)
    expect(where, "its purpose isn't one of the specification's", package.get("primaryPackagePurpose") in PURPOSES)
    for field in ("licenseConcluded", "licenseDeclared"):
        expect(where, f"{field} is {package.get(field)!r}", license_is_known(package.get(field, "")))
    for reference in package.get("externalRefs", []):
        form(where, reference, "referenceCategory", r"PACKAGE-MANAGER")
        form(where, reference, "referenceType", r"purl")
        form(where, reference, "referenceLocator", r"pkg:deb/debian/[a-z0-9.+-]+@[A-Za-z0-9.+:~-]+\?arch=[a-z0-9]+")
    if "packageFileName" in package:
        actual = hashlib.sha256((folder / package["packageFileName"]).read_bytes()).hexdigest()
        expect(where, "its checksum isn't the file's",
               package.get("checksums") == [{"algorithm": "SHA256", "checksumValue": actual}])


def main():
    path = Path(sys.argv[1])
    document = json.loads(path.read_text(encoding="utf-8"))
    form("document", document, "spdxVersion", r"SPDX-2\.3")
    form("document", document, "dataLicense", r"CC0-1\.0")
    form("document", document, "SPDXID", r"SPDXRef-DOCUMENT")
    form("document", document, "name", r".+")
    form("document", document, "documentNamespace", r"[a-z]+://[^#\s]+")
    creation = document.get("creationInfo", {})
    form("creationInfo", creation, "created", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    expect("creationInfo", "creators", creation.get("creators") and
           all(re.fullmatch(CREATOR, creator) for creator in creation["creators"]))
    packages = document.get("packages", [])
    for package in packages:
        check_package(package, path.parent)
    names = [package.get("SPDXID") for package in packages] + ["SPDXRef-DOCUMENT"]
    expect("document", "an SPDXID is used twice", len(names) == len(set(names)))
    relations = document.get("relationships", [])
    for relation in relations:
        expect("relationships", f"unknown type in {relation}", relation.get("relationshipType") in RELATIONSHIPS)
        expect("relationships", f"unknown element in {relation}",
               {relation.get("spdxElementId"), relation.get("relatedSpdxElement")} <= set(names))
    expect("document", "it describes nothing", any(relation.get("relationshipType") == "DESCRIBES" for relation in relations))
    related = {relation.get("relatedSpdxElement") for relation in relations}
    for name in set(names) - related - {"SPDXRef-DOCUMENT"}:
        expect(name, "nothing refers to it", False)
    print("\n".join(problems), end="\n" if problems else "")


main()
