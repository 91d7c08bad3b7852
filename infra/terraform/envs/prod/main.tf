# Production: three zones, and nothing whose loss stops messages. Sized for about 100 million messages a month; see
# ../../README.md for what to raise beyond that.

module "stack" {
  source = "../../modules/stack"

  prefix              = "chappe-prod"
  region              = var.region
  cidr                = "10.30.0.0/16"
  zones               = 3
  nat_gateways        = 3
  interface_endpoints = ["sqs", "secretsmanager", "logs"]
  architecture        = var.architecture
  lambda_dir          = var.lambda_dir
  image_tag           = var.image_tag
  protected           = true

  concurrency = {
    api      = 50
    route    = 20
    bill     = 20
    dlr      = 20
    inbound  = 5
    callback = 20
    realtime = 10
  }
  reserve_concurrency = true
  api                 = { rate = 2000, burst = 4000 }

  # one per zone
  edge   = { cpu = 1024, memory_mb = 2048 }
  intake = { count = 3, cpu = 1024, memory_mb = 2048 }

  database = {
    instance_class  = "db.m7g.xlarge"
    multi_az        = true
    storage_gb      = 400
    storage_max_gb  = 4000
    backup_days     = 30
    connections_max = 1000
    proxy           = var.database_proxy
  }
  redis    = { node_type = "cache.t4g.medium", nodes = 2 }
  rabbitmq = var.rabbitmq

  smpp_cidrs              = var.smpp_cidrs
  domain                  = var.domain
  dns_zone_id             = var.dns_zone_id
  console_certificate_arn = var.console_certificate_arn
  log_filter              = var.log_filter
  log_retention_days      = 90
  alarm_emails            = var.alarm_emails
}
