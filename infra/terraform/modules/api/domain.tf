# Names of our own, where a domain is given: api.<domain> and ws.<domain>.

locals {
  names = var.domain == "" ? {} : {
    api = { api_id = aws_apigatewayv2_api.http.id, stage = aws_apigatewayv2_stage.http.id }
    ws  = { api_id = aws_apigatewayv2_api.websocket.id, stage = aws_apigatewayv2_stage.websocket.id }
  }
}

resource "aws_apigatewayv2_domain_name" "this" {
  for_each    = local.names
  domain_name = "${each.key}.${var.domain}"

  domain_name_configuration {
    certificate_arn = var.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  for_each    = local.names
  api_id      = each.value.api_id
  stage       = each.value.stage
  domain_name = aws_apigatewayv2_domain_name.this[each.key].id
}

resource "aws_route53_record" "this" {
  for_each = local.names
  zone_id  = var.dns_zone_id
  name     = "${each.key}.${var.domain}"
  type     = "A"

  alias {
    name                   = aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}
