variable "concurrent_dispatches" {
  description = "Tasks in flight at most."
  type        = number
}

variable "dispatches_per_second" {
  description = "Tasks begun a second at most."
  type        = number
}

variable "name" {
  description = "Function, and name of its queue. A deleted name cannot be used again for seven days."
  type        = string
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "retry" {
  description = "Attempts in all, and seconds between them."
  type        = object({ attempts = number, maximum = number, minimum = number })
}
