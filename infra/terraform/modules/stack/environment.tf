# What programs are told. No secret is among it: programs fetch those by their ARN, and again when one was rotated.

locals {
  environment = { CHAPPE_LOG = var.log_filter }

  queue_environment = {
    QUEUE_URL = "sqs://${var.region}/${var.prefix}?topics=${local.topics_arn}"
  }

  database_environment = merge(
    {
      DATABASE_URL               = "postgres://${module.data.postgres_host}:5432/chappe?${var.database.url_parameters}"
      CHAPPE_DATABASE_SECRET_ARN = module.data.database_secret_arn
    },
    var.database.proxy ? { CHAPPE_DB_POOLER = "transaction" } : {},
  )

  redis_environment = {
    REDIS_URL               = "rediss://${module.data.redis_host}:6379"
    CHAPPE_REDIS_SECRET_ARN = module.data.redis_secret_arn
  }

  key_environment = { CHAPPE_SECRET_KEY_ARN = module.data.platform_secret_arn }

  # The intake accepts for all SMPP customers, so it gets more connections than a function; commands get few.
  intake_connections  = 10
  command_connections = 2
  intake_database = merge(
    local.database_environment, { CHAPPE_DB_CONNECTIONS = tostring(local.intake_connections) }
  )

  # Everything at its bound, and the intakes twice, as they are while a new version comes.
  database_connections = sum(concat(
    [for name, count in local.environments : count * local.connections[name]],
    [2 * var.intake.count * local.intake_connections, 2 * local.command_connections],
  ))
}
