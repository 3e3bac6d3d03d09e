"""``test_lint`` of Odoo, narrowed from the 600 addons on the path to ours.

Each class is named here, so that one that goes away upstream is an error and not a silence.
Left out: its ESLint test (needs npm packages) and the tests of the linters themselves.
"""

import contextlib
from pathlib import Path

from odoo import tools
from odoo.modules import Manifest

from odoo.addons.test_lint import tests as upstream

HERE = Path(__file__).resolve()
OURS = HERE.parents[4] / "addons"
OTHERS = ("queue_job",)  # addons from pip that ours depend on


class Inherited:
    """Let Odoo's loader run the test methods of the parent class."""

    allow_inherited_tests_method = True


class OurAddons(Inherited):
    """Let what a linter reads be our addons only."""

    def setUp(self):
        super().setUp()
        manifests = [m for m in Manifest.all_addon_manifests() if OURS in Path(m.path).parents]
        self.assertTrue(manifests, "no addon of ours is on the addons path")
        self.patch(Manifest, "all_addon_manifests", staticmethod(lambda: manifests))


class OurModels(Inherited):
    """Let what a linter says of the models of `OTHERS` be none of our concern."""

    @contextlib.contextmanager
    def subTest(self, msg=None, **params):
        if params.get("module") in OTHERS:
            with contextlib.suppress(AssertionError, TypeError):
                yield
        else:
            with super().subTest(msg, **params):
                yield


class TestPylint(OurAddons, upstream.test_pylint.TestPyLint):
    def setUp(self):
        super().setUp()
        # Upstream adds Odoo's own tree, which takes ten minutes.
        self.patch(type(tools.config), "root_path", property(lambda config: str(OURS)))


class TestDunderinit(OurAddons, upstream.test_dunderinit.TestDunderinit):
    pass


class TestPot(OurAddons, upstream.test_pofile.PotLinter):
    pass


class TestManifests(OurAddons, upstream.test_manifests.ManifestLinter):
    pass


class TestMarkers(OurAddons, upstream.test_markers.TestConflictMarkers):
    pass


class TestOnchange(OurAddons, upstream.test_onchange_domains.TestOnchangeDomains):
    pass


class TestJsTranslations(OurAddons, upstream.test_jstranslate.TestJsTranslations):
    pass


class TestI18n(OurAddons, upstream.test_i18n.TestI18n):
    pass


class TestOrmImport(OurAddons, upstream.test_orm_import.TestDunderinit):
    pass


class TestTestHoles(OurAddons, upstream.test_test_holes.TestTestHoles):
    pass


class TestRoutes(OurAddons, upstream.test_routes.RoutesLinter):
    pass


class TestIndex(Inherited, upstream.test_index.TestIndex):
    def setUp(self):
        super().setUp()
        known = upstream.test_index.BTREE_INDEX_IGNORE_FIELDS
        theirs = {"queue.job.function.channel_id"}
        self.patch(upstream.test_index, "BTREE_INDEX_IGNORE_FIELDS", known | theirs)


class TestNaming(Inherited, upstream.test_naming.TestNaming):
    pass


class TestOverrideSignatures(
    OurModels, upstream.test_override_signatures.TestLintOverrideSignatures
):
    pass


class TestDocstring(OurModels, upstream.test_docstring.TestDocstring):
    pass
