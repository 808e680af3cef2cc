variable "datasets" {
  description = "Data sets that belong to no tenant."
  type        = set(string)
}

variable "deletion_protection" {
  description = "Whether tables with data refuse to be deleted."
  type        = bool
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "region" {
  description = "Location of the data sets."
  type        = string
}

variable "relations" {
  description = "Tables and views by name; data set and query with {project_id} and {tenant_id}."
  type = map(object({
    cluster       = list(string)
    dataset       = string
    description   = string
    expires_after = number
    partition     = string
    query         = string
    schema = list(object({
      description = string
      mode        = string
      name        = string
      type        = string
    }))
  }))
}

variable "tenants" {
  description = "Tenants whose data sets are made here."
  type        = set(string)
}
