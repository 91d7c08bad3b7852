# The functions: what each is woken by, how large it is, and what it is told.
#
# The host handles as many records of a batch at once as it has connections, and shortens the limit of each so that the
# whole batch fits into the function's timeout. Envelopes carry many messages each; larger batches or longer timeouts would
# only make the visibility timeout, and with it the wait after a crash, longer.

locals {
  batch   = { batch_size = 10, window_seconds = 0 }
  timeout = 45

  functions = {
    api = {
      description     = "HTTPS for customers and the console"
      memory_mb       = 512
      timeout_seconds = 30
      needs           = ["database", "redis", "key"]
    }
    route = {
      description     = "Accepted messages get an operator"
      memory_mb       = 512
      timeout_seconds = local.timeout
      queue           = local.batch
      needs           = ["database"]
    }
    bill = {
      description     = "Outcomes of submits capture or release money"
      memory_mb       = 512
      timeout_seconds = local.timeout
      queue           = local.batch
      needs           = ["database"]
    }
    dlr = {
      description     = "Receipts become states"
      memory_mb       = 512
      timeout_seconds = local.timeout
      queue           = local.batch
      needs           = ["database"]
    }
    inbound = {
      description     = "Messages from handsets become whole and find their account"
      memory_mb       = 256
      timeout_seconds = local.timeout
      queue           = local.batch
      needs           = ["database"]
    }
    callback = {
      description     = "Events go to customers' webhooks"
      memory_mb       = 256
      timeout_seconds = 60
      queue           = local.batch
      timers          = { due = { every = "rate(1 minute)", looks = ["due"] } }
      needs           = ["database", "key"]
      webhooks        = true
    }
    realtime = {
      description     = "Events go to customers' WebSockets"
      memory_mb       = 256
      timeout_seconds = local.timeout
      queue           = local.batch
      needs           = ["database", "key"]
      publishes       = false
    }
    sweep = {
      description     = "Timers: outbox, schedule, expiry, health, partitions, books"
      memory_mb       = 256
      timeout_seconds = 300
      needs           = ["database"]
      timers = {
        minutely = { every = "rate(1 minute)", looks = ["overdue", "scheduled", "receipts", "failover", "parts", "outbox", "seal", "counters", "balances", "numbers", "health", "exports"] }
        hourly   = { every = "rate(1 hour)", looks = ["partitions"] }
        nightly  = { every = "cron(30 4 * * ? *)", looks = ["books"] }
      }
    }
  }

  queue_names = [for name, function in local.functions : "${var.prefix}-${name}" if can(function.queue)]

  # Connections of one environment of a function: envelopes of a batch meet at the same rows, more would only wait.
  connections = { for name, function in local.functions : name => can(function.queue) ? 3 : 2 }

  # Timers overlap by one at the most.
  environments = { for name, function in local.functions : name => lookup(var.concurrency, name, 2) }

  function_environment = { for name, function in local.functions : name => merge(
    local.environment,
    local.queue_environment,
    local.database_environment,
    contains(function.needs, "redis") ? local.redis_environment : {},
    contains(function.needs, "key") ? local.key_environment : {},
    { CHAPPE_DB_CONNECTIONS = tostring(local.connections[name]) },
    name == "realtime" ? { CHAPPE_REALTIME_ENDPOINT = module.api.connections_url } : {},
  ) }
}

module "function" {
  source   = "../function"
  for_each = local.functions

  prefix          = var.prefix
  name            = each.key
  description     = each.value.description
  account         = local.account
  zip             = "${var.lambda_dir}/${var.architecture}/${each.key}.zip"
  architecture    = var.architecture
  memory_mb       = each.value.memory_mb
  timeout_seconds = each.value.timeout_seconds

  # Only the API: a queue's mapping has a bound of its own, and a reservation would throttle it.
  reserved_concurrency = each.key == "api" && var.reserve_concurrency ? local.environments.api : -1

  queue = can(each.value.queue) ? merge(each.value.queue, { concurrency = local.environments[each.key] }) : null

  timers      = try(each.value.timers, {})
  environment = local.function_environment[each.key]
  statements  = local.function_statements[each.key]

  subnets = module.network.private_subnets
  security_groups = concat(
    [aws_security_group.functions.id], try(each.value.webhooks, false) ? [aws_security_group.webhooks.id] : []
  )

  kms_key_arn        = aws_kms_key.this.arn
  alarm_topic        = aws_sns_topic.alarms.arn
  log_retention_days = var.log_retention_days
}
