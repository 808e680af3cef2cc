variable "data_sets" {
  description = "Condition that names our data sets."
  type        = string
}

variable "database" {
  description = "Database to export."
  type        = string
}

variable "deletion_protection" {
  description = "Whether backups refuse to be deleted."
  type        = bool
}

variable "export_days" {
  description = "Days that an export is kept."
  type        = number
  default     = 90
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "project_number" {
  description = "Number of the project."
  type        = string
}

variable "region" {
  description = "Region of the copies."
  type        = string
}

variable "snapshot_days" {
  description = "Days that a snapshot is kept."
  type        = number
  default     = 35
}

variable "tables" {
  description = "Tables, in whatever data set, that nothing else can make again."
  type        = set(string)
}
