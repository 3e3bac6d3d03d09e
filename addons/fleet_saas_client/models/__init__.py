from . import (
    ir_attachment,
    ir_http,
    ir_model,
    ir_module_module,
    ir_ui_menu,
    kpi_provider,
    res_groups,
    res_users,
    saas_access,
    saas_client,
    saas_client_notice,
)
