from . import test_archive, test_create, test_i18n, test_life, test_readme, test_screens, test_templates
from . import test_mail_server
