# The whole platform on AWS, put together from the modules beside this one. Each environment of envs/ is one call of it.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

data "aws_availability_zones" "this" {
  #checkov:skip=CKV_AWS_394:the first few by name are used, so that a new zone changes nothing
  state = "available"

  # Local Zones and the like have neither Fargate nor RDS.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  zones     = slice(data.aws_availability_zones.this.names, 0, var.zones)
}

module "network" {
  source              = "../network"
  prefix              = var.prefix
  region              = var.region
  cidr                = var.cidr
  zones               = local.zones
  nat_gateways        = var.nat_gateways
  interface_endpoints = var.interface_endpoints
  kms_key_arn         = aws_kms_key.this.arn
  log_retention_days  = var.log_retention_days
}

module "data" {
  source      = "../data"
  prefix      = var.prefix
  partition   = local.partition
  vpc_id      = module.network.vpc_id
  subnets     = module.network.private_subnets
  kms_key_arn = aws_kms_key.this.arn

  postgres_clients = { functions = aws_security_group.functions.id, intake = module.edge.intake_security_group }
  redis_clients = {
    functions = aws_security_group.functions.id
    intake    = module.edge.intake_security_group
    edge      = module.edge.edge_security_group
  }

  instance_class  = var.database.instance_class
  multi_az        = var.database.multi_az
  storage_gb      = var.database.storage_gb
  storage_max_gb  = var.database.storage_max_gb
  backup_days     = var.database.backup_days
  connections_max = var.database.connections_max
  proxy           = var.database.proxy
  protected       = var.protected
  redis_node_type = var.redis.node_type
  redis_nodes     = var.redis.nodes
}

module "edge" {
  source          = "../edge"
  prefix          = var.prefix
  region          = var.region
  account         = local.account
  architecture    = var.architecture
  image_tag       = var.image_tag
  vpc_id          = module.network.vpc_id
  public_subnets  = module.network.public_subnets
  private_subnets = module.network.private_subnets
  smpp_cidrs      = var.smpp_cidrs
  certificate_arn = local.certificate_arn
  domain          = var.domain
  dns_zone_id     = var.dns_zone_id

  edge_count   = coalesce(var.edge.count, var.zones)
  edge_size    = { cpu = var.edge.cpu, memory_mb = var.edge.memory_mb }
  intake_count = var.intake.count
  intake_size  = { cpu = var.intake.cpu, memory_mb = var.intake.memory_mb }

  environment        = local.environment
  edge_environment   = merge(local.queue_environment, local.redis_environment, local.key_environment)
  intake_environment = merge(local.queue_environment, local.redis_environment, local.key_environment, local.intake_database)
  database_url       = local.database_environment.DATABASE_URL
  edge_statements    = local.edge_statements
  intake_statements  = local.intake_statements
  database_secret    = module.data.database_secret_arn
  platform_secret    = module.data.platform_secret_arn

  postgres_security_group = module.data.postgres_security_group
  redis_security_group    = module.data.redis_security_group
  protected               = var.protected
  kms_key_arn             = aws_kms_key.this.arn
  alarm_topic             = aws_sns_topic.alarms.arn
  log_retention_days      = var.log_retention_days
}

module "api" {
  source              = "../api"
  prefix              = var.prefix
  region              = var.region
  api_function        = module.function["api"].name
  api_invoke_arn      = module.function["api"].invoke_arn
  realtime_function   = module.function["realtime"].name
  realtime_invoke_arn = module.function["realtime"].invoke_arn
  rate                = var.api.rate
  burst               = var.api.burst
  domain              = var.domain
  dns_zone_id         = var.dns_zone_id
  certificate_arn     = local.certificate_arn
  kms_key_arn         = aws_kms_key.this.arn
  log_retention_days  = var.log_retention_days
}

module "console" {
  source          = "../console"
  prefix          = var.prefix
  account         = local.account
  domain          = var.console_certificate_arn == "" ? "" : "console.${var.domain}"
  certificate_arn = var.console_certificate_arn
}

module "broker" {
  source        = "../broker"
  count         = var.rabbitmq == null ? 0 : 1
  prefix        = var.prefix
  vpc_id        = module.network.vpc_id
  subnets       = module.network.private_subnets
  clients       = { edge = module.edge.edge_security_group, intake = module.edge.intake_security_group }
  instance_type = var.rabbitmq.instance_type
  cluster       = var.rabbitmq.cluster
  kms_key_arn   = aws_kms_key.this.arn
}

module "observability" {
  source               = "../observability"
  prefix               = var.prefix
  region               = var.region
  alarm_topic          = aws_sns_topic.alarms.arn
  http_api_id          = module.api.http_api_id
  functions            = [for name in keys(local.functions) : "${var.prefix}-${name}"]
  queues               = local.queue_names
  postgres_identifier  = module.data.postgres_identifier
  connections_max      = var.database.connections_max
  redis_identifier     = module.data.redis_identifier
  load_balancer_suffix = module.edge.load_balancer_suffix
  target_group_suffix  = module.edge.target_group_suffix
}
