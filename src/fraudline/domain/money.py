"""Currencies of ISO 4217 and how many decimals each has; money as text to and from minor units.

The table is ISO's own (list one, including funds codes). CLDR, which most libraries quote, rounds thirteen currencies
to what is used in cash instead. Codes without a minor unit (XAU, XDR, XTS, XXX ...) are no currency one can pay in
and are left out. Codes withdrawn since 2022 stay, because history is read too.
"""

from __future__ import annotations

from decimal import Decimal

_TWO = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU
CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES
KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR
NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
_WITHDRAWN = "ANG BGN CUC HRK SLL ZWL"  # all of two decimals

DECIMALS: dict[str, int] = {
    code: decimals
    for decimals, codes in ((2, _TWO + _WITHDRAWN), (0, _NONE), (3, _THREE), (4, _FOUR))
    for code in codes.split()
}


def format_minor(minor: int, decimals: int) -> str:
    """Minor units as a plain decimal number: `format_minor(1200050, 2)` is "12000.50"."""
    if not decimals:
        return str(minor)
    digits = str(abs(minor)).rjust(decimals + 1, "0")
    return f"{'-' if minor < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"


def to_minor(value: Decimal | int, decimals: int) -> int | None:
    """An exact number in currency units as minor units; None where it has more decimals than the currency."""
    exact = Decimal(value)
    whole = int(exact.scaleb(decimals))  # scaleb rounds what is longer than the context: hence the way back
    return whole if Decimal(whole).scaleb(-decimals) == exact else None


def from_minor(minor: int, decimals: int) -> int | float:
    """Minor units as the number JSON carries: whole amounts as integers, others as the nearest float."""
    if not decimals:
        return minor
    whole, rest = divmod(minor, 10**decimals)
    return float(format_minor(minor, decimals)) if rest else whole
