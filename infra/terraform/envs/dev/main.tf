# Development: everything there is, once, and small. About a hundred dollars a month; see ../../README.md.

module "stack" {
  source = "../../modules/stack"

  prefix       = "chappe-dev"
  region       = var.region
  zones        = 2
  nat_gateways = 1
  architecture = var.architecture
  lambda_dir   = var.lambda_dir
  image_tag    = var.image_tag
  protected    = false

  # New accounts allow ten environments over all functions. Two is the least that a mapping takes.
  concurrency = {
    api      = 5
    route    = 3
    bill     = 3
    dlr      = 3
    inbound  = 2
    callback = 2
    realtime = 2
  }
  reserve_concurrency = false
  api                 = { rate = 50, burst = 100 }

  edge   = { count = 1, cpu = 256, memory_mb = 512 }
  intake = { count = 1, cpu = 256, memory_mb = 512 }

  database = {
    instance_class  = "db.t4g.micro"
    multi_az        = false
    storage_gb      = 20
    storage_max_gb  = 100
    backup_days     = 7
    connections_max = 120
    proxy           = var.database_proxy
  }
  redis    = { node_type = "cache.t4g.micro", nodes = 1 }
  rabbitmq = var.rabbitmq

  smpp_cidrs              = var.smpp_cidrs
  domain                  = var.domain
  dns_zone_id             = var.dns_zone_id
  console_certificate_arn = var.console_certificate_arn
  log_filter              = var.log_filter
  log_retention_days      = 14
  alarm_emails            = var.alarm_emails
}
