from . import databases_demo_return, kpi_provider
