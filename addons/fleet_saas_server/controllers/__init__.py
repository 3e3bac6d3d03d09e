from . import archive, kit
