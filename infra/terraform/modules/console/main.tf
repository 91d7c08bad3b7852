# The console: static files in S3, served by CloudFront. `aws s3 sync` fills the bucket.

locals {
  # Made and kept by AWS: CachingOptimized and SecurityHeadersPolicy.
  cache_policy   = "658327ea-f89d-4fab-a63d-7e88639e58f6"
  headers_policy = "67f7725c-6f97-4210-82d7-5512b31e9d03"
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:public files of ours; who fetches them is no secret worth a log
  #checkov:skip=CKV_AWS_144:the files come from a build and can be put there again
  #checkov:skip=CKV_AWS_145:public files of ours; SSE-S3 is enough, and CloudFront needs no key then
  #checkov:skip=CKV2_AWS_62:nobody waits for events of it
  bucket        = "${var.prefix}-console-${var.account}"
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_cloudfront_origin_access_control" "this" {
  name                              = "${var.prefix}-console"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV_AWS_68:static files; there is nothing behind it that a firewall could protect
  #checkov:skip=CKV2_AWS_47:static files; there is nothing behind it that a firewall could protect
  #checkov:skip=CKV_AWS_86:public files of ours; who fetches them is no secret worth a log
  #checkov:skip=CKV_AWS_310:one bucket; its files can be put there again from a build
  #checkov:skip=CKV_AWS_374:customers sit anywhere
  #checkov:skip=CKV_AWS_174:TLS 1.2 with a domain of your own; CloudFront's own name takes what CloudFront takes
  #checkov:skip=CKV2_AWS_32:it has one of AWS's own, by its id, which checkov does not follow
  #checkov:skip=CKV2_AWS_42:a domain of your own is optional
  enabled             = true
  comment             = "${var.prefix} console"
  default_root_object = "index.html"
  price_class         = "PriceClass_100"
  http_version        = "http2and3"
  is_ipv6_enabled     = true
  aliases             = var.domain == "" ? [] : [var.domain]
  wait_for_deployment = false

  origin {
    origin_id                = "files"
    domain_name              = aws_s3_bucket.this.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.this.id
  }

  default_cache_behavior {
    target_origin_id           = "files"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.cache_policy
    response_headers_policy_id = local.headers_policy
  }

  # The console routes by itself: a page that is no file is the application.
  custom_error_response {
    error_code         = 403
    response_code      = 200
    response_page_path = "/index.html"
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.certificate_arn == ""
    acm_certificate_arn            = var.certificate_arn == "" ? null : var.certificate_arn
    ssl_support_method             = var.certificate_arn == "" ? null : "sni-only"
    minimum_protocol_version       = var.certificate_arn == "" ? null : "TLSv1.2_2021"
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "CloudFront"
        Effect    = "Allow"
        Action    = ["s3:GetObject"]
        Resource  = ["${aws_s3_bucket.this.arn}/*"]
        Principal = { Service = "cloudfront.amazonaws.com" }
        Condition = { StringEquals = { "AWS:SourceArn" = aws_cloudfront_distribution.this.arn } }
      },
    ]
  })
  depends_on = [aws_s3_bucket_public_access_block.this]
}
