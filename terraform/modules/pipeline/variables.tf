variable "account" {
  description = "E-mail of the account that builds and deploys."
  type        = string
}

variable "approval" {
  description = "Whether somebody has to approve each build."
  type        = bool
}

variable "branch" {
  description = "Branch, as a regular expression."
  type        = string
}

variable "environment" {
  description = "Environment, and prefix of its state."
  type        = string
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "region" {
  description = "Region of the builds."
  type        = string
}

variable "repository" {
  description = "Connected repository: projects/P/locations/L/connections/C/repositories/R."
  type        = string
}

variable "state_bucket" {
  description = "Bucket of Terraform's state."
  type        = string
}

variable "var_file" {
  description = "File of variables in the repository, relative to terraform/."
  type        = string
}
