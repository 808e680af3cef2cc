variable "bucket_roles" {
  description = "Roles on buckets, by permission and bucket."
  type        = map(object({ bucket = string, role = string }))
}

variable "build" {
  description = "Image repository and account of the builds."
  type        = object({ account = string, repository = string })
}

variable "bundle" {
  description = "Entry of build/bundles.json."
  type        = object({ entry_point = string, file = string })
}

variable "bundle_directory" {
  description = "Folder of the zips."
  type        = string
}

variable "document" {
  description = "Which document changes fire it; null for every other kind."
  type = object({
    change   = string
    database = string
    invoker  = object({ email = string, member = string })
    location = string
    path     = string
  })
  default = null
}

variable "enqueues" {
  description = "Queues it adds tasks to, and the accounts those tasks are delivered as."
  type        = map(object({ invoker = string, queue = string }))
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
}

variable "function" {
  description = "Entry of the manifest."
  type = object({
    concurrency   = number
    domain        = string
    entry_point   = string
    kind          = string
    max_instances = number
    memory        = number
    min_instances = number
    name          = string
    summary       = string
    timeout       = number
  })
}

variable "gradual" {
  description = "Whether a new revision waits at 0 % for its traffic to be shifted."
  type        = bool
}

variable "ingress" {
  description = "From where it can be reached."
  type        = string
}

variable "invokers" {
  description = "Members that may call it, by what they are."
  type        = map(string)
}

variable "keep_warm" {
  description = "Whether declared idle instances are kept."
  type        = bool
}

variable "kms_keys" {
  description = "Keys that the function may wrap and unwrap with, by what they are for."
  type        = map(string)
}

variable "project_id" {
  description = "Project."
  type        = string
}

variable "project_number" {
  description = "Number of the project."
  type        = string
}

variable "project_roles" {
  description = "Roles on the project, with the condition that bounds them and the reason."
  type = map(object({
    expression = string
    permission = string
    reason     = string
    role       = string
  }))
}

variable "publishes" {
  description = "Topics it publishes to."
  type        = map(string)
}

variable "region" {
  description = "Region."
  type        = string
}

variable "runtime" {
  description = "Account it runs as."
  type        = object({ email = string, id = string, member = string })
}

variable "runtime_version" {
  description = "Language runtime."
  type        = string
}

variable "secret_files" {
  description = "Secrets mounted as files, which are read again while an instance runs."
  type        = map(object({ directory = string, file = string, secret = string }))
}

variable "secrets" {
  description = "Secrets as environment variables: variable to secret."
  type        = map(string)
}

variable "signs" {
  description = "Whether it signs links to files as its own account."
  type        = bool
}

variable "source_bucket" {
  description = "Bucket of the bundles."
  type        = string
}

variable "vpc_connector" {
  description = "Way into the network of Redis; null for functions that do not use it."
  type        = string
  default     = null
}
