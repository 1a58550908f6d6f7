"""Units: which words name one, what quantity it measures, and how it converts."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from verifiers.maths.vocabulary import GENERIC

Dimensions = tuple[tuple[str, int], ...]


class Unit(NamedTuple):
    """A unit in base units: dimensions, exact factor, whether the factor is of pi/180, its nouns.

    A noun that names no known unit ("apples") is kept as a word: two different nouns differ, and
    any noun may be left out.
    """

    dimensions: Dimensions = ()
    factor: Fraction = Fraction(1)
    degrees: bool = False
    nouns: frozenset[str] = frozenset()


def _dims(**powers: int) -> Dimensions:
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def _table() -> dict[str, Unit]:
    """Units by name, from lines of: names | factor | base units with their powers."""
    table: dict[str, Unit] = {}
    for line in UNITS.strip().splitlines():
        names, factor, bases = line.split(" | ")
        powers = {
            base.rstrip("-0123456789"): int(base.lstrip(LETTERS) or 1) for base in bases.split()
        }
        for name in names.split():
            table[name] = Unit(_dims(**powers), Fraction(factor))
            for prefix, scale in _prefixes(name).items():
                table[prefix + name] = Unit(_dims(**powers), Fraction(factor) * scale)
    for name in ("°", "deg", "degree", "degrees"):
        table[name] = Unit(_dims(angle=1), Fraction(1), True)
    return table


def _prefixes(name: str) -> dict[str, Fraction]:
    """What may stand before a unit: the letters before its sign, the words before its name."""
    scales = LETTER_SCALES if name in SIGNS else WORD_SCALES if name in NAMES else {}
    return {prefix: Fraction(10) ** power for prefix, power in scales.items()}


LETTER_SCALES = {"n": -9, "μ": -6, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9}
WORD_SCALES = {"nano": -9, "micro": -6, "milli": -3, "kilo": 3, "mega": 6, "giga": 9}
SIGNS = frozenset(("N", "J", "W", "Pa", "Hz", "V", "ohm", "A", "C", "mol", "eV"))
NAMES = frozenset((
    "newton", "newtons", "joule", "joules", "watt", "watts", "pascal", "pascals", "hertz", "volt",
    "volts", "amp", "amps", "ampere", "amperes", "coulomb", "coulombs",
))  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyzV_"
UNITS = """
m meter meters metre metres | 1 | m
dm decimeter decimeters | 1/10 | m
cm centimeter centimeters centimetre centimetres | 1/100 | m
mm millimeter millimeters millimetre millimetres | 1/1000 | m
μm um micrometer micrometers micron microns | 1/1000000 | m
nm nanometer nanometers | 1/1000000000 | m
km kilometer kilometers kilometre kilometres | 1000 | m
inch inches | 0.0254 | m
ft foot feet | 0.3048 | m
yd yard yards | 0.9144 | m
mi mile miles | 1609.344 | m
s sec secs second seconds | 1 | s
ms millisecond milliseconds | 1/1000 | s
min mins minute minutes | 60 | s
h hr hrs hour hours | 3600 | s
day days | 86400 | s
week weeks wk wks | 604800 | s
fortnight fortnights | 1209600 | s
month months | 1 | month
yr yrs year years | 12 | month
decade decades | 120 | month
century centuries | 1200 | month
g gram grams gm gms | 1 | g
mg milligram milligrams | 1/1000 | g
kg kgs kilogram kilograms kilo kilos | 1000 | g
tonne tonnes | 1000000 | g
lb lbs pound pounds | 453.59237 | g
oz ounce ounces | 28.349523125 | g
ton tons | 907184.74 | g
L l liter liters litre litres | 1/1000 | m3
mL ml milliliter milliliters millilitre millilitres | 1/1000000 | m3
cc | 1/1000000 | m3
gallon gallons gal | 16 | cup
quart quarts qt | 4 | cup
pint pints | 2 | cup
cup cups | 1 | cup
tablespoon tablespoons tbsp | 1/16 | cup
teaspoon teaspoons tsp | 1/48 | cup
hectare hectares ha | 10000 | m2
acre acres | 4046.8564224 | m2
mph | 0.44704 | m s-1
kph kmh kmph | 5/18 | m s-1
N newton newtons | 1000 | g m s-2
J joule joules | 1000 | g m2 s-2
Nm | 1000 | g m2 s-2
kWh | 3600000000 | g m2 s-2
eV | 1 | eV
W watt watts | 1000 | g m2 s-3
Pa pascal pascals | 1000 | g m-1 s-2
atm | 101325000 | g m-1 s-2
Hz hertz | 1 | s-1
V volt volts | 1 | volt
ohm ohms | 1 | ohm
A amp amps ampere amperes | 1 | amp
C coulomb coulombs | 1 | amp s
mol mole moles | 1 | mol
K kelvin kelvins | 1 | kelvin
°C celsius | 1 | celsius
°F fahrenheit | 1 | fahrenheit
byte bytes | 8 | bit
bit bits | 1 | bit
¤ dollar dollars usd USD buck bucks | 1 | dollar
¢ cent cents | 1/100 | dollar
€ euro euros EUR | 1 | euro
£ GBP | 1 | pound_sterling
pence | 1/100 | pound_sterling
¥ yen JPY yuan RMB | 1 | yen
₹ rupee rupees Rs INR | 1 | rupee
rad rads radian radians | 1 | angle
"""
TABLE = _table()
CURRENCY = frozenset("¤€£¥₹¢")
SINGLE = frozenset("mgshLNJWVKAl")
SCALES = {
    "dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9,
    "trillion": 10**12,
}  # fmt: skip


def noun(word: str) -> str:
    """A noun without its plural ending."""
    word = word.lower()
    for ending, single in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh")):
        if word.endswith(ending):
            return word[: -len(ending)] + single
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def power(unit: Unit, exponent: int) -> Unit:
    """A unit raised to a whole power."""
    dimensions = tuple((name, value * exponent) for name, value in unit.dimensions)
    return Unit(dimensions, unit.factor**exponent, unit.degrees, unit.nouns)


def times(one: Unit, two: Unit, exponent: int = 1) -> Unit:
    """The product of `one` and `two` to a power of 1 or -1."""
    sums = dict(one.dimensions)
    for name, value in two.dimensions:
        sums[name] = sums.get(name, 0) + value * exponent
    return Unit(
        _dims(**sums),
        one.factor * two.factor**exponent,
        one.degrees or two.degrees,
        one.nouns | two.nouns,
    )


def compatible(one: Unit, two: Unit) -> bool:
    """Whether both measure the same kind of quantity; generic nouns go with any noun."""
    if one.dimensions != two.dimensions:
        return False
    mine, yours = one.nouns - GENERIC, two.nouns - GENERIC
    return mine <= yours or yours <= mine
