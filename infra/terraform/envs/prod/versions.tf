terraform {
  required_version = ">= 1.11"

  # State is local until backend.tf exists: copy backend.tf.example and fill it in.

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { product = "chappe", environment = "prod" }
  }
}
