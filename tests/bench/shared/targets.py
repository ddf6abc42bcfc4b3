"""What a figure should be, and whether it is.

A target is a dict for results.json: claim, target, measured (words), and
is_met, which is None where there was nothing to compare with.
"""


def ratio(one, other):
    """None where one of them could not be measured."""
    return None if one is None or not other else one / other


def at_least(claim, value, least, unit=" times"):
    if value is None:
        return not_comparable(claim, f"at least {least:g}{unit}",
                              "not measured")
    return {"claim": claim, "target": f"at least {least:g}{unit}",
            "measured": f"{value:.3g}{unit}", "value": value,
            "is_met": value >= least}


def at_most(claim, value, most, unit=" times"):
    if value is None:
        return not_comparable(claim, f"at most {most:g}{unit}",
                              "not measured")
    return {"claim": claim, "target": f"at most {most:g}{unit}",
            "measured": f"{value:.4g}{unit}", "value": value,
            "is_met": value <= most}


def not_comparable(claim, target, why):
    return {"claim": claim, "target": target, "measured": f"n/a: {why}",
            "value": None, "is_met": None}


def verdict(target):
    return {True: "met", False: "MISSED", None: "n/a"}[target["is_met"]]
