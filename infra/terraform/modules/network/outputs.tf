output "vpc_id" {
  value = aws_vpc.this.id
}

output "public_subnets" {
  value = aws_subnet.public[*].id
}

output "private_subnets" {
  value = aws_subnet.private[*].id
}

output "nat_addresses" {
  description = "What operators see as our address."
  value       = aws_eip.nat[*].public_ip
}

output "policies" {
  value = { flow_logs = aws_iam_role_policy.flow.policy }
}
