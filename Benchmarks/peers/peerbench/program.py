"""Options that the scripts which start `quasar` share."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def add_option(parser):
    parser.add_argument("--quasar", default=os.path.join(ROOT, ".build", "release", "quasar"), metavar="PROGRAM")


def check(parser, path):
    if not os.path.isfile(path):
        parser.error(f"{path}: no such program; build it with 'swift build -c release --product quasar'")


def seeds(parser, text):
    """"1,2,3" → [1, 2, 3]"""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        parser.error(f"--seeds {text}: use numbers with commas, as in 1,2,3")
