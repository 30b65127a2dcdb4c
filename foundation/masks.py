"""What of a name or number is shown to whom it does not concern: one form of each, decided here and never in a page. Pure."""


def masked_name(name: str) -> str:
    """张*: the family's first character, and not how many follow."""
    return f"{name[:1]}*" if name else ""


def masked_id_no(number: str) -> str:
    """110***********1234: the province and a bit, and what its bearer knows it by."""
    return f"{number[:3]}{'*' * (len(number) - 7)}{number[-4:]}" if len(number) > 7 else "*" * len(number)


def masked_phone(phone: str) -> str:
    """+86138****0001: the four figures before the last four are nobody's business."""
    return f"{phone[:-8]}****{phone[-4:]}"


def masked_plate(text: str) -> str:
    """豫A***45: enough for an operator to tell cars apart, too little to follow one."""
    return text[:2] + "*" * max(len(text) - 4, 1) + text[-2:] if text else ""
