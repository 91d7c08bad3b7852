# What holds in every environment. Each of them has a link to this file; AWS is mocked, so it takes seconds.

mock_provider "aws" {
  source = "../../tests/mocks"
}

run "invariants" {
  command = apply

  # ---- queues and functions

  assert {
    condition     = join(" ", keys(output.audit.functions)) == "api bill callback dlr inbound realtime route sweep"
    error_message = "A function is missing, or there is one that nobody knows."
  }

  assert {
    condition = join(" ", [for name, function in output.audit.functions : name if length(function.queues) == 1]) == (
      "bill callback dlr inbound realtime route"
    )
    error_message = "Each function with a queue has one, of its own name."
  }

  assert {
    condition = alltrue(flatten([for function in output.audit.functions : [for queue in function.queues :
      queue.visibility_seconds >= 6 * function.timeout_seconds + queue.window_seconds
    ]]))
    error_message = "A queue's visibility timeout is at least six times its function's timeout, and the window."
  }

  assert {
    condition     = alltrue(flatten([for function in output.audit.functions : function.queues[*].reports_item_failure]))
    error_message = "Every mapping says ReportBatchItemFailures."
  }

  assert {
    condition = alltrue(flatten([for function in output.audit.functions : [for queue in function.queues :
      queue.parks_into_own && queue.receives_max == 25 && queue.parked_seconds > queue.retention_seconds
    ]]))
    error_message = "Every queue parks into its own parking place after 25 receives, and keeps it longer there."
  }

  assert {
    condition = alltrue(flatten([for function in output.audit.functions : [for queue in function.queues :
      queue.concurrency >= 2 && queue.concurrency <= 100
    ]]))
    error_message = "Every mapping is bounded: the database is behind it."
  }

  assert {
    condition = alltrue([for function in output.audit.functions :
      length(setsubtract(length(function.queues) > 0 ? ["age", "parked", "errors", "throttles"] : ["errors", "throttles"], function.alarms)) == 0
    ])
    error_message = "Every queue has alarms of age and parking, every function of errors and throttles."
  }

  # ---- timers

  assert {
    condition = jsonencode(output.audit.functions.sweep.timers) == jsonencode({
      minutely = jsonencode({ looks = ["overdue", "scheduled", "receipts", "failover", "parts", "outbox", "seal", "counters", "balances", "numbers", "health", "exports"] })
      hourly   = jsonencode({ looks = ["partitions"] })
      nightly  = jsonencode({ looks = ["books"] })
    })
    error_message = "Every look of sweep has its timer."
  }

  assert {
    condition     = jsonencode(output.audit.functions.callback.timers) == jsonencode({ due = jsonencode({ looks = ["due"] }) })
    error_message = "Webhooks that are due again have their timer."
  }

  # ---- who may do what

  assert {
    condition = length(flatten([for name, policy in output.audit.policies : [for statement in jsondecode(policy).Statement :
      [for action in statement.Action : "${name}: ${action}" if strcontains(action, "*")]
    ]])) == 0
    error_message = "No IAM policy has an action with an asterisk."
  }

  assert {
    condition = length(flatten([for name, policy in output.audit.policies : [for statement in jsondecode(policy).Statement :
      [for resource in statement.Resource : "${name}: ${statement.Sid}" if resource == "*"]
      if !contains(["NetworkInterfaces", "RegistryToken"], statement.Sid)
    ]])) == 0
    error_message = "Only statements for which AWS knows no narrower resource have all resources."
  }

  assert {
    condition     = alltrue([for policy in output.audit.policies : alltrue([for one in jsondecode(policy).Statement : one.Effect == "Allow"])])
    error_message = "Policies grant; there is nothing to take away."
  }

  assert {
    condition     = length(output.audit.policies) >= 14 && length(setsubtract(keys(output.audit.functions), keys(output.audit.policies))) == 0
    error_message = "Every policy is looked at."
  }

  assert {
    condition = alltrue([for name in ["edge-task", "realtime"] : length([
      for statement in jsondecode(output.audit.policies[name]).Statement : statement if statement.Sid == "TellNews"
    ]) == 0])
    error_message = "The edge and realtime tell no news."
  }

  assert {
    condition = !strcontains(output.audit.policies["edge-task"], ":secret:rds") && !anytrue([
      for name in output.audit.edge.variables.edge : strcontains(name, "DATABASE")
    ])
    error_message = "The edge has no database."
  }

  # ---- what is stored

  assert {
    condition = output.audit.data.encrypted && alltrue(values(output.audit.topics)) && alltrue(flatten([
      for function in output.audit.functions : concat([function.encrypted], function.queues[*].encrypted)
    ]))
    error_message = "Queues, topics, stores, secrets, environments and logs are encrypted."
  }

  assert {
    condition     = length(output.audit.topics) == 3
    error_message = "Two topics of news, one of alarms."
  }

  assert {
    condition = alltrue(flatten([for environment in output.audit.environment : [for name, value in environment :
      !strcontains(value, "password") && !can(regex("//[^/]*:[^/]*@", value))
    ]]))
    error_message = "No secret is in an environment variable."
  }

  assert {
    condition = alltrue([for name, environment in output.audit.environment :
      environment.QUEUE_URL == "sqs://${var.region}/${output.queue_prefix}?topics=arn:aws:sns:${var.region}:123456789012:${output.queue_prefix}"
    ])
    error_message = "Functions find their queues and topics by region and prefix."
  }

  assert {
    condition = alltrue([for setting in ["CHAPPE_SECRET_KEY_ARN", "CHAPPE_DATABASE_SECRET_ARN", "CHAPPE_REALTIME_ENDPOINT"] :
      contains(keys(output.audit.environment.realtime), setting)
    ])
    error_message = "realtime is told where connections are."
  }

  # ---- the ways in

  assert {
    condition     = output.audit.api.throttled && output.audit.api.routes == tolist(["$connect", "$default", "$disconnect"])
    error_message = "Both APIs are throttled, and the WebSocket's has its three routes."
  }

  assert {
    condition     = !can(regex("path|[qQ]uery|requestUri", output.audit.api.access_log))
    error_message = "Access logs hold no paths: phone numbers can be in them."
  }

  assert {
    condition = (
      output.audit.edge.proxy_protocol && output.audit.edge.check_protocol == "TCP" && output.audit.edge.minimum == 100 &&
      output.audit.edge.grace_seconds < output.audit.edge.stop_seconds &&
      output.audit.edge.stop_seconds <= output.audit.edge.drain_seconds
    )
    error_message = "The edge knows its customers' addresses, and has time to let them go."
  }

  assert {
    condition = jsonencode({ for name, command in output.audit.edge.commands : name => command if name != "seed" }) == jsonencode({
      edge = "edge", intake = "worker --api", migrate = "migrate", ledger = "ledger verify", house = "house"
    })
    error_message = "The image's programs."
  }

  # ---- what is off until it is wanted

  assert {
    condition     = output.audit.brokers == 0 && output.audit.data.proxies == 0 && length(output.audit.api.names) == 0
    error_message = "Broker, proxy and domain are off by default."
  }

  assert {
    condition     = output.audit.edge.edges == 0 && output.audit.edge.intakes == 0
    error_message = "Nothing runs before there is an image."
  }

  assert {
    condition = length(setsubtract(
      [
        "any-queue-age", "bind-backing-off", "bind-refused", "edge-unhealthy", "http-errors", "parked", "postgres-connections",
        "postgres-cpu", "postgres-storage", "redis-memory", "sweeps"
      ], output.audit.alarms
    )) == 0
    error_message = "An alarm is missing."
  }

  assert {
    condition     = output.audit.edge.books_told && startswith(output.audit.edge.books_checked, "cron(")
    error_message = "All the books are checked every week, and whoever gets alarms is told when they are wrong."
  }

  assert {
    condition = length(setintersection(output.audit.alarms, flatten([
      for name, function in output.audit.functions : [for alarm in function.alarms : "${name}-${alarm}"]
    ]))) == 0
    error_message = "Two alarms have one name: the later would overwrite the earlier."
  }
}

run "everything_on" {
  command = apply

  variables {
    architecture   = "x86_64"
    image_tag      = "v1"
    database_proxy = true
    rabbitmq       = { instance_type = "mq.m5.large", cluster = false }
    domain         = "sms.example.com"
    dns_zone_id    = "Z123"
  }

  assert {
    condition     = output.audit.brokers == 1 && output.audit.data.proxies == 1
    error_message = "Broker and proxy can be switched on."
  }

  assert {
    condition = alltrue([for name, environment in output.audit.environment :
      environment.CHAPPE_DB_POOLER == "transaction" && startswith(environment.DATABASE_URL, "postgres://proxy.")
    ])
    error_message = "Behind the proxy, programs keep no statements prepared."
  }

  assert {
    condition = (
      output.api_url == "https://api.sms.example.com" && output.websocket_url == "wss://ws.sms.example.com" &&
      output.smpp_host == "smpp.sms.example.com" && output.audit.edge.ports == tolist(["2775", "3550"])
    )
    error_message = "With a domain come names, certificates and SMPP in TLS."
  }
}
