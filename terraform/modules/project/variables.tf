variable "agents" {
  description = "Services whose agents are made now."
  type        = set(string)
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "project_number" {
  description = "Number of the project."
  type        = string
}

variable "services" {
  description = "Services to switch on, with the reason."
  type        = map(string)
}
