# The programs of the image: two that stay (edge, intake) and those that end (migrate, ledger, house, seed).
#
# The containers have no health check by `chappe health`: it asks whether a program can work, and an edge that waits for a
# database must keep its sessions, not be started again.

locals {
  internal_port = 8081
  grace_seconds = 100 # below the stop timeout, which Fargate bounds to 120

  # What every program is told; secrets are fetched by their ARN.
  environment = merge(var.environment, { CHAPPE_GRACE_SECONDS = tostring(local.grace_seconds) })

  # The demo's accounts have passwords that everybody knows: only where nothing is protected.
  programs = merge(local.lasting_programs, var.protected ? {} : { seed = local.seed })

  lasting_programs = {
    edge = {
      command = ["edge"]
      size    = var.edge_size
      role    = "edge"
      ports   = [local.smpp_port, local.watch_port]
      secrets = {}
      environment = merge(var.edge_environment, {
        CHAPPE_SMPP_ADDR           = "0.0.0.0:${local.smpp_port}"
        CHAPPE_SMPP_PROXY_PROTOCOL = "true"
        CHAPPE_WATCH_ADDR          = "0.0.0.0:${local.watch_port}"
        CHAPPE_INTERNAL_URL        = "http://${local.intake_host}:${local.internal_port}"
      })
    }
    intake = {
      command     = ["worker", "--api"]
      size        = var.intake_size
      role        = "intake"
      ports       = [local.internal_port]
      secrets     = {}
      environment = merge(var.intake_environment, { CHAPPE_INTERNAL_ADDR = "0.0.0.0:${local.internal_port}" })
    }
    migrate = merge(local.a_command, { command = ["migrate"] })
    ledger  = merge(local.a_command, { command = ["ledger", "verify"] })
    # Run once, with the rest of its arguments as an override: see DEPLOY.md.
    house = merge(local.a_command, {
      command = ["house"]
      secrets = merge(local.a_command.secrets, { CHAPPE_SECRET_KEY = var.platform_secret })
    })
  }

  # Commands end soon, so ECS may hand them the password as it is when they start, where libpq's variables are read.
  a_command = {
    size        = { cpu = 256, memory_mb = 512 }
    role        = null
    ports       = []
    environment = { DATABASE_URL = var.database_url }
    secrets = {
      PGUSER     = "${var.database_secret}:username::"
      PGPASSWORD = "${var.database_secret}:password::"
    }
  }

  seed = merge(local.a_command, {
    command = ["seed"]
    role    = "intake"
    environment = {
      DATABASE_URL    = var.database_url
      QUEUE_URL       = var.intake_environment.QUEUE_URL
      CHAPPE_DATA_DIR = "/tmp/chappe"
    }
    secrets = merge(local.a_command.secrets, { CHAPPE_SECRET_KEY = var.platform_secret })
  })

  container = { for name, program in local.programs : name => {
    name                   = "chappe"
    image                  = "${aws_ecr_repository.this.repository_url}:${local.tag}"
    essential              = true
    command                = program.command
    readonlyRootFilesystem = name != "seed"
    stopTimeout            = 120
    portMappings           = [for port in program.ports : { containerPort = port, hostPort = port, protocol = "tcp" }]
    environment = [for key, value in merge(local.environment, program.environment) :
    { name = key, value = value }]
    secrets        = [for key, value in program.secrets : { name = key, valueFrom = value }]
    mountPoints    = []
    systemControls = []
    volumesFrom    = []
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = var.region
        awslogs-stream-prefix = name
      }
    }
  } }

  # Before the first image is pushed there is nothing to run.
  has_image = var.image_tag != ""
  tag       = local.has_image ? var.image_tag : "none"
}

resource "aws_ecs_task_definition" "this" {
  for_each                 = local.programs
  family                   = "${var.prefix}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = tostring(each.value.size.cpu)
  memory                   = tostring(each.value.size.memory_mb)
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = each.value.role == null ? null : aws_iam_role.task[each.value.role].arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture == "arm64" ? "ARM64" : "X86_64"
  }

  container_definitions = jsonencode(concat(
    [local.container[each.key]], [for beside in [local.collector] : beside if each.key == "edge"]
  ))
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:logs hold no business data, and weeks are enough to find a fault
  name              = "/${var.prefix}/containers"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}
