# PostgreSQL: the truth of the platform.

resource "aws_db_subnet_group" "this" {
  name       = var.prefix
  subnet_ids = var.subnets
}

resource "aws_db_parameter_group" "this" {
  #checkov:skip=CKV2_AWS_30:statements are logged when they are slow, see log_min_duration_statement
  name   = "${var.prefix}-postgres${var.postgres_major}"
  family = "postgres${var.postgres_major}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # What the functions and the containers may open together is held below it, see the stack.
  parameter {
    name         = "max_connections"
    value        = tostring(var.connections_max)
    apply_method = "pending-reboot"
  }

  # A function that died must not keep its locks.
  parameter {
    name  = "idle_in_transaction_session_timeout"
    value = "60000"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  # Message texts and phone numbers are parameters of statements. They never reach a log.
  parameter {
    name  = "log_parameter_max_length"
    value = "0"
  }

  parameter {
    name  = "log_parameter_max_length_on_error"
    value = "0"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_157:the environment decides: two zones in prod, one in dev
  #checkov:skip=CKV_AWS_293:the environment decides: protected in prod, not in dev
  identifier     = var.prefix
  engine         = "postgres"
  engine_version = var.postgres_major
  instance_class = var.instance_class
  db_name        = "chappe"
  username       = "chappe"

  # RDS makes the password, keeps it in Secrets Manager and changes it every week. It never enters the state.
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key_arn

  allocated_storage     = var.storage_gb
  max_allocated_storage = var.storage_max_gb
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  multi_az               = var.multi_az
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.postgres.id]
  parameter_group_name   = aws_db_parameter_group.this.name

  backup_retention_period   = var.backup_days
  backup_window             = "00:30-01:30"
  maintenance_window        = "sun:02:00-sun:03:00"
  copy_tags_to_snapshot     = true
  deletion_protection       = var.protected
  delete_automated_backups  = !var.protected
  skip_final_snapshot       = !var.protected
  final_snapshot_identifier = "${var.prefix}-final"

  auto_minor_version_upgrade          = true
  iam_database_authentication_enabled = true
  enabled_cloudwatch_logs_exports     = ["postgresql", "upgrade"]
  monitoring_interval                 = 60
  monitoring_role_arn                 = aws_iam_role.monitoring.arn
  performance_insights_enabled        = true
  performance_insights_kms_key_id     = var.kms_key_arn
}

resource "aws_iam_role" "monitoring" {
  name = "${var.prefix}-rds-monitoring"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${var.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
