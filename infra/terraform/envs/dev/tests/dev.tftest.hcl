# Development is small and cheap.

mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  image_tag = "v1"
}

run "small" {
  command = plan

  assert {
    condition     = output.audit.nat == 1 && output.audit.edge.edges == 1 && output.audit.edge.intakes == 1
    error_message = "One of everything."
  }

  assert {
    condition     = !output.audit.data.multi_az && !output.audit.data.protected && output.audit.data.redis_nodes == 1
    error_message = "It may be lost, and can be deleted."
  }
}
