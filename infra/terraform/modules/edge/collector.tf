# Beside every edge: AWS's collector reads the edge's metrics and writes them to CloudWatch, namespace Chappe. Only what
# alarms and the dashboard use: every series costs per month.

locals {
  collector_config = {
    receivers = {
      prometheus = {
        config = {
          global = { scrape_interval = "60s" }
          scrape_configs = [{
            job_name       = "edge"
            static_configs = [{ targets = ["127.0.0.1:${local.watch_port}"] }]
          }]
        }
      }
    }
    processors = { batch = { timeout = "30s" } }
    exporters = {
      awsemf = {
        namespace               = "Chappe"
        region                  = var.region
        log_group_name          = aws_cloudwatch_log_group.metrics.name
        log_stream_name         = "edge"
        dimension_rollup_option = "NoDimensionRollup"
        metric_declarations = [
          { dimensions = [["operator", "state"]], metric_name_selectors = ["^edge_binds$"] },
          { dimensions = [["operator"]], metric_name_selectors = ["^edge_(submits|throttles|binds_refused)_total$"] },
          { dimensions = [["class"]], metric_name_selectors = ["^edge_outcomes_total$"] },
        ]
      }
    }
    service = {
      pipelines = {
        metrics = { receivers = ["prometheus"], processors = ["batch"], exporters = ["awsemf"] }
      }
    }
  }

  # Not essential: an edge must not stop because nobody counts.
  collector = {
    name                   = "collector"
    image                  = var.collector_image
    essential              = false
    readonlyRootFilesystem = true
    environment            = [{ name = "AOT_CONFIG_CONTENT", value = yamlencode(local.collector_config) }]
    mountPoints            = []
    portMappings           = []
    systemControls         = []
    volumesFrom            = []
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = var.region
        awslogs-stream-prefix = "collector"
      }
    }
  }
}

resource "aws_cloudwatch_log_group" "metrics" {
  #checkov:skip=CKV_AWS_338:CloudWatch keeps the metrics made of these lines for 15 months
  name              = "/${var.prefix}/edge-metrics"
  retention_in_days = 3
  kms_key_id        = var.kms_key_arn
}
