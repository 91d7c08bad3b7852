# Laid over the provider's block while moto acts AWS; AWS_ENDPOINT_URL says where. Not a part of infra/terraform.

provider "aws" {
  # What moto does not know it answers with 500; the provider would try that 25 times.
  max_retries       = 2
  s3_use_path_style = true
}
