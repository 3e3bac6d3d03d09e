from . import archive, export, kit
