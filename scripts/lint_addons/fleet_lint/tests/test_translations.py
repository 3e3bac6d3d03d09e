"""The French texts of our addons are complete and keep what must not be translated."""

import io
import re

import polib

from odoo.tests import TransactionCase, tagged
from odoo.tools.translate import trans_export

from .test_our_addons import OURS

#: What a translation may not lose: values filled in, tags, and the attributes that make a view work.
KEPT = re.compile(r"%\(\w+\)s|%s|</?\w+|(?:class|invisible|role)=\"[^\"]*\"")
REPEAT = "run: make i18n ADDON=%s"
FEWEST = 50


@tagged("post_install", "-at_install")
class TestTranslations(TransactionCase):
    """Each addon with a French translation; all of them are installed."""

    def _folders(self):
        """Return the translated addons, each by its folder of translations."""
        folders = sorted(path.parent for path in OURS.glob("*/i18n/fr.po"))
        self.assertTrue(folders, "no addon of ours has a French translation")
        return folders

    def _export(self, addon):
        """Return the terms that an addon has now."""
        exported = io.BytesIO()
        trans_export(None, [addon], exported, "po", self.env)
        terms = {entry.msgid for entry in polib.pofile(exported.getvalue().decode())}
        self.assertGreater(len(terms), FEWEST, "the export finds the terms of the addon")
        return terms

    def test_no_term_lacks_its_french_text(self):
        for folder in self._folders():
            addon = folder.parent.name
            with self.subTest(addon):
                self._check_complete(addon, folder)

    def _check_complete(self, addon, folder):
        terms, repeat = self._export(addon), REPEAT % addon
        french = polib.pofile(str(folder / "fr.po")).translated_entries()
        lacking = terms - {entry.msgid for entry in french}
        self.assertFalse(sorted(lacking), f"terms that fr.po lacks; {repeat}")
        template = polib.pofile(str(folder / f"{addon}.pot"))
        stale = {entry.msgid for entry in template} ^ terms
        self.assertFalse(sorted(stale), f"the .pot does not say what the addon says; {repeat}")

    def test_a_french_text_keeps_the_placeholders_and_tags_of_the_english_one(self):
        for folder in self._folders():
            for entry in polib.pofile(str(folder / "fr.po")).translated_entries():
                with self.subTest(entry.msgid):
                    self.assertEqual(
                        sorted(KEPT.findall(entry.msgstr)), sorted(KEPT.findall(entry.msgid))
                    )
