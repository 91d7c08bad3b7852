# Production outlives the loss of a zone, and is not deleted by mistake.

mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  image_tag = "v1"
}

run "lasting" {
  command = plan

  assert {
    condition     = output.audit.nat == 3 && output.audit.edge.edges == 3 && output.audit.edge.intakes == 3
    error_message = "One per zone."
  }

  assert {
    condition     = output.audit.data.multi_az && output.audit.data.backup_days >= 30 && output.audit.data.redis_nodes >= 2
    error_message = "A second database and a second Redis take over; backups reach back a month."
  }

  assert {
    condition     = !contains(keys(output.audit.edge.commands), "seed")
    error_message = "The demo's passwords are known to everybody."
  }

  assert {
    condition     = output.audit.data.protected && output.audit.edge.protected
    error_message = "It refuses to be deleted."
  }
}
