"""QR codes read by zxing-cpp and drawn by segno, and canonical JSON written by Python.

    python tests/qr/pictures.py read DIRECTORY              a line for each picture's text, in order of names
    python tests/qr/pictures.py draw STYLE DIRECTORY        a picture for each line of standard input
    python tests/qr/pictures.py canonical FROM TO           every .json file below FROM in canonical form, into TO

Styles: `plain` as conclave draws them; `lower` in lower case, which is another mode of QR codes; `high` with other
error correction, light on dark, turned.
"""

import json
import sys
from pathlib import Path

import segno
import zxingcpp
from PIL import Image, ImageOps


def read(directory):
    for path in sorted(Path(directory).iterdir()):
        found = zxingcpp.read_barcodes(Image.open(path), formats=zxingcpp.BarcodeFormat.QRCode)
        if len(found) != 1:
            sys.exit(f"{path}: zxing-cpp reads {len(found)} codes")
        print(found[0].text)


def draw(style, directory):
    folder = Path(directory)
    folder.mkdir()
    for number, line in enumerate(sys.stdin.read().split(), 1):
        path = folder / f"{number:04}.png"
        text = line.lower() if style == "lower" else line.upper()
        code = segno.make_qr(text, error="H" if style == "high" else "L", boost_error=False)
        code.save(path, scale=4, border=4)
        if style == "high":
            picture = ImageOps.invert(Image.open(path).convert("L"))
            picture.rotate(90, expand=True).save(path)


def canonical(source, target):
    # RFC 8785 for what conclave writes: no fractions, and keys are ASCII.
    folder = Path(target)
    folder.mkdir(exist_ok=True)
    for path in sorted(Path(source).rglob("*.json")):
        value = json.loads(path.read_bytes())
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        # Files of one name in several folders stay apart.
        name = "-".join(path.relative_to(source).parts)
        (folder / name).write_bytes(text.encode())


{"read": read, "draw": draw, "canonical": canonical}[sys.argv[1]](*sys.argv[2:])
