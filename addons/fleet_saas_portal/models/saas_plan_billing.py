from odoo import Command, fields, models


class SaasPlan(models.Model):
    _inherit = "saas.plan"

    product_id = fields.Many2one(
        "product.product",
        copy=False,
        ondelete="restrict",
        index="btree_not_null",
        check_company=True,
        help="What invoices name: its taxes and accounts are used. It is made for the first one.",
    )
    invoice_days = fields.Integer(
        "Invoiced Before (Days)", default=7, help="Before the period that is invoiced begins."
    )

    _invoice_days = models.Constraint(
        "CHECK (invoice_days BETWEEN 0 AND 28)", "Invoice 0 to 28 days before a period."
    )

    def _get_product(self):
        """Return the product of this plan's invoices; made when there is none."""
        self.ensure_one()
        if not self.product_id:
            # Locked, or two first invoices at the same time make two products.
            plan = self.sudo()
            plan.lock_for_update()
            company = plan.company_id
            Product = plan.env["product.product"].with_context(allowed_company_ids=company.ids)
            plan.product_id = Product.create(plan._prepare_product())
        return self.product_id

    def _adds_tax(self):
        """Tell whether invoices add a tax to the price, by the product they name or will name."""
        self.ensure_one()
        plan = self.sudo()
        taxes = plan.product_id.taxes_id if plan.product_id else plan.company_id.account_sale_tax_id
        ours = taxes._filter_taxes_by_company(plan.company_id).flatten_taxes_hierarchy()
        return any(tax.amount and not tax.price_include for tax in ours)

    def _prepare_product(self):
        return {
            "name": self.name,
            "type": "service",
            "list_price": self.price,
            "company_id": self.company_id.id,
            "taxes_id": [Command.set(self.company_id.account_sale_tax_id.ids)],
            "purchase_ok": False,
        }
