variable "account" {
  description = "E-mail of the account that the gateway calls functions with."
  type        = string
}

variable "backends" {
  description = "Address and timeout of every function."
  type        = map(object({ timeout = number, url = string }))
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "region" {
  description = "Region."
  type        = string
}

variable "routes" {
  description = "Path to method (lower case) to function."
  type        = map(map(string))
}
