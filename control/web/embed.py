#!/usr/bin/env python3
"""Turns files into one C file that defines page_files (control/api/page.h): embed.py OUTPUT FILE... where FILE is a path,
or NAME=PATH to serve it under another name. index.html is served as /."""

import hashlib
import os
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PER_LINE = 24


def array(index: int, content: bytes) -> str:
    """The bytes of a file as a C array."""
    lines = [",".join(str(byte) for byte in content[i:i + PER_LINE]) for i in range(0, len(content), PER_LINE)]
    return f"static const unsigned char bytes_{index}[] = {{\n" + ",\n".join(lines) + "\n};\n"


def main() -> None:
    """Writes the C file."""
    output, *inputs = sys.argv[1:]
    arrays, entries = [], []
    for index, given in enumerate(inputs):
        name, _, path = given.rpartition("=")
        name = name or os.path.basename(path)
        with open(path, "rb") as file:
            content = file.read()
        etag = hashlib.sha256(content).hexdigest()[:16]
        served = "/" if name == "index.html" else f"/{name}"
        arrays.append(array(index, content))
        entries.append(f'\t{{"{served}", "{TYPES[os.path.splitext(name)[1]]}", "\\"{etag}\\"", bytes_{index},'
                       f" sizeof(bytes_{index})}},\n")
    with open(output, "w", encoding="ascii") as file:
        file.write('/* Made by control/web/embed.py. */\n#include "control/api/page.h"\n\n' + "\n".join(arrays))
        file.write("\nconst struct page_file page_files[] = {\n" + "".join(entries) + "};\n")
        file.write("const size_t page_file_count = sizeof(page_files) / sizeof(page_files[0]);\n")


if __name__ == "__main__":
    main()
