from odoo.tools.misc import formatLang

STEP = 1024


def format_size(env, size):
    """Return so many bytes as a person reads them, such as ``1.5 GB``, in the user's language.

    `odoo.tools.human_size` says "Mb", which are bits.
    """
    units = env._("B|KB|MB|GB|TB").split("|")
    power = 0
    # Rounded first: 1,023.96 MB are 1.0 GB.
    while round(size, 1) >= STEP and power < len(units) - 1:
        size /= STEP
        power += 1
    return f"{formatLang(env, size, digits=1 if power else 0)} {units[power]}"
