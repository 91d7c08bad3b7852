# Secrets of our own. That of PostgreSQL is made and kept by RDS.

locals {
  database_secret_arn = aws_db_instance.this.master_user_secret[0].secret_arn
}

# The platform's secret: 32 bytes in base64, from which every other key is derived. Its value is put there once by hand, see
# DEPLOY.md, so that it is in no state and in no plan. Never change it: what it encrypted could not be read any more.
resource "aws_secretsmanager_secret" "platform" {
  #checkov:skip=CKV2_AWS_57:keys derived from it protect stored data, so it cannot be rotated by a timer
  name                    = "${var.prefix}/platform-key"
  description             = "32 bytes in base64; every other key is derived from it"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.protected ? 30 : 0
}

resource "aws_secretsmanager_secret" "redis" {
  #checkov:skip=CKV2_AWS_57:changed by hand as DEPLOY.md says: Redis takes both the old and the new one meanwhile
  name                    = "${var.prefix}/redis-password"
  description             = "The AUTH token of Redis"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.protected ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "redis" {
  secret_id                = aws_secretsmanager_secret.redis.id
  secret_string_wo         = terraform_data.redis_password.output
  secret_string_wo_version = 1
}
