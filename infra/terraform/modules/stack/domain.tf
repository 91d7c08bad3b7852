# A domain of your own, where one is given: api.<domain>, ws.<domain>, smpp.<domain>. Its zone must be in Route 53.

locals {
  has_domain = var.domain != ""
  our_names  = local.has_domain ? [for name in ["api", "smpp", "ws"] : "${name}.${var.domain}"] : []

  # The validated one, so that nobody uses it before it is issued.
  certificate_arn = local.has_domain ? aws_acm_certificate_validation.this[0].certificate_arn : ""
}

resource "aws_acm_certificate" "this" {
  count                     = local.has_domain ? 1 : 0
  domain_name               = local.our_names[0]
  subject_alternative_names = slice(local.our_names, 1, length(local.our_names))
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

# What ACM wants to see in the zone, by the name that it is asked for.
locals {
  proofs = { for proof in flatten(aws_acm_certificate.this[*].domain_validation_options) : proof.domain_name => proof }
}

resource "aws_route53_record" "validation" {
  for_each = toset(local.our_names)
  zone_id  = var.dns_zone_id
  name     = local.proofs[each.value].resource_record_name
  type     = local.proofs[each.value].resource_record_type
  records  = [local.proofs[each.value].resource_record_value]
  ttl      = 300

  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  count                   = local.has_domain ? 1 : 0
  certificate_arn         = aws_acm_certificate.this[0].arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}
