variable "account" {
  description = "First part of the account ids; leaves four characters of the thirty."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{1,25})$", var.account))
    error_message = "Account ids have 6 to 30 characters: 26 at most before -run and -inv."
  }
}

variable "delivered" {
  description = "Whether something delivers events to the function."
  type        = bool
}

variable "name" {
  description = "Function."
  type        = string
}

variable "needs" {
  description = "Permission to reason, as declared."
  type        = map(string)
}

variable "project_id" {
  description = "Project."
  type        = string
}
