variable "alert_emails" {
  description = "Addresses that alerts and budget warnings go to."
  type        = set(string)
  default     = []

  validation {
    condition = alltrue([
      for email in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+$", email))
    ])
    error_message = "Every entry of alert_emails is an e-mail address."
  }
}

variable "allowed_origins" {
  description = "Exact origins that browsers may call from."
  type        = set(string)
  default     = []

  validation {
    # Document 004: never "*"; a pattern would let strangers' pages call.
    condition = alltrue([
      for origin in var.allowed_origins :
      can(regex("^(https://[a-z0-9.-]+|http://localhost)(:[0-9]+)?$", origin))
    ])
    error_message = "An origin is https://host[:port] or http://localhost[:port], without a wildcard or path."
  }
}

variable "budget" {
  description = "Monthly budget in whole units of the currency of the billing account; null sets none."
  type = object({
    amount          = number
    billing_account = string
  })
  default = null

  validation {
    condition = var.budget == null ? true : (
      var.budget.amount >= 1 && floor(var.budget.amount) == var.budget.amount
    )
    error_message = "The budget is a whole number, 1 or more."
  }
}

variable "database_id" {
  description = "Firestore database."
  type        = string
  default     = "(default)"

  validation {
    condition     = can(regex("^(\\(default\\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$", var.database_id))
    error_message = "A database id is (default), or 4 to 63 lower-case letters, digits and hyphens."
  }
}

variable "database_location" {
  description = "Location of the Firestore database; it can never be changed. Multi-regions: nam5, eur3."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^(nam5|eur3|[a-z]+-[a-z]+[0-9]+)$", var.database_location))
    error_message = "A location is nam5, eur3 or a region such as us-central1."
  }

  validation {
    # A document trigger and its function stand where the database stands.
    condition = lookup(
      { nam5 = "us-central1", eur3 = "europe-west4" },
      var.database_location, var.database_location
    ) == var.region
    error_message = "The region is that of the database: us-central1 for nam5, europe-west4 for eur3."
  }
}

variable "deletion_protection" {
  description = "Whether destroying refuses to touch databases, buckets and data sets that hold data."
  type        = bool
  default     = true
}

variable "domain" {
  description = "Host name of the load balancer; its DNS record has to point to the output `address`."
  type        = string
  default     = null

  validation {
    condition     = var.domain == null ? true : can(regex("^([a-z0-9-]+\\.)+[a-z]{2,}$", var.domain))
    error_message = "The domain is a host name such as api.example.com."
  }

  validation {
    condition     = (var.front_door == "load_balancer") == (var.domain != null)
    error_message = "The load balancer needs a domain, and nothing else takes one."
  }
}

variable "encryption" {
  description = <<-TEXT
    The key that wraps tenants' data keys: SOFTWARE, or HSM for a hardware module (about a dollar a month for each
    version that is kept), and after how many days a new version wraps. Earlier versions go on unwrapping.
  TEXT
  type = object({
    protection_level = optional(string, "SOFTWARE")
    rotation_days    = optional(number, 90)
  })
  default = {}

  validation {
    condition     = contains(["SOFTWARE", "HSM"], var.encryption.protection_level)
    error_message = "The protection level is SOFTWARE or HSM."
  }

  validation {
    # KMS takes no less than a day; more than a year is no rotation.
    condition = (
      floor(var.encryption.rotation_days) == var.encryption.rotation_days &&
      var.encryption.rotation_days >= 1 && var.encryption.rotation_days <= 365
    )
    error_message = "The key rotates every 1 to 365 days."
  }
}

variable "environment" {
  description = "Name of the environment, for labels and alerts."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,20}$", var.environment))
    error_message = "An environment is up to 21 lower-case letters, digits and hyphens."
  }
}

variable "front_door" {
  description = <<-TEXT
    gateway: REST routes; functions are private and admit the gateway's account only, so that nothing is public.
    load_balancer: function URLs under one's own domain. A load balancer has no identity that Cloud Run could ask for, and
    the credentials of callers are ours and not Google's, so HTTP functions admit everyone (allUsers) whom the network lets
    through: their ingress is internal-and-cloud-load-balancing, never all. Every one that the manifest does not call public
    checks the credential itself. Identity-Aware Proxy would ask for a Google account, which callers with API keys have not.
  TEXT
  type        = string
  default     = "gateway"

  validation {
    condition     = contains(["gateway", "load_balancer"], var.front_door)
    error_message = "The front door is gateway or load_balancer."
  }
}

variable "gradual" {
  description = "Whether new revisions wait at 0 % until `nox -s deploy` shifts traffic; false gives them all of it when they are made."
  type        = bool
  default     = false
}

variable "identity_platform" {
  description = <<-TEXT
    Accounts of people at Identity Platform: host names whose pages may sign people in, and whether everybody needs a
    second factor. null leaves Firebase Authentication as it is. Switching Identity Platform on cannot be undone.
  TEXT
  type = object({
    authorized_domains = set(string)
    second_factor      = optional(bool, false)
  })
  default = null

  validation {
    condition = var.identity_platform == null ? true : (
      length(var.identity_platform.authorized_domains) > 0 && alltrue([
        for domain in var.identity_platform.authorized_domains :
        can(regex("^(localhost|([a-z0-9-]+\\.)+[a-z]{2,})$", domain))
      ])
    )
    error_message = "An authorized domain is a host name such as app.example.com; one at least is needed."
  }
}

variable "keep_warm" {
  description = "Whether functions keep the idle instances they declare; false scales all to zero."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Days that logs are kept (document 000: 30)."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 3650
    error_message = "Logs are kept 1 to 3650 days."
  }
}

variable "pipeline" {
  description = "Deploys on every push to a branch of a connected repository, as an account made by hand; null: no pipeline."
  type = object({
    account      = string
    approval     = optional(bool, true)
    branch       = optional(string, "^main$")
    repository   = string
    state_bucket = string
    var_file     = string
  })
  default = null

  validation {
    condition = var.pipeline == null ? true : can(
      regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9.-]+\\.gserviceaccount\\.com$", var.pipeline.account)
    )
    error_message = "The account of the pipeline is the e-mail of a service account."
  }

  validation {
    condition = var.pipeline == null ? true : can(
      regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", var.pipeline.repository)
    )
    error_message = "The repository of the pipeline is projects/P/locations/L/connections/C/repositories/R."
  }

  validation {
    # Otherwise an apply of the pipeline would give untried revisions all traffic.
    condition     = var.pipeline == null || var.gradual
    error_message = "A pipeline shifts traffic: it needs gradual = true."
  }
}

variable "project_id" {
  description = "Google Cloud project."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project id has 6 to 30 lower-case letters, digits and hyphens."
  }
}

variable "project_number" {
  description = "Number of the project: it names Google's service agents and the functions' addresses."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{6,13}$", var.project_number))
    error_message = "A project number has 6 to 13 digits: gcloud projects describe."
  }
}

variable "rank_tracking" {
  description = "Providers of result pages in the order they are asked, with what a thousand pages of ten results cost in minor units, and what each tenant may spend at most; null tracks no ranks."
  type = object({
    checks_per_day        = optional(number)
    checks_per_month      = optional(number)
    currency              = optional(string, "USD")
    spend_per_day_minor   = optional(number)
    spend_per_month_minor = optional(number)
    providers = list(object({
      name                     = string
      price_per_thousand_minor = number
      base_url                 = optional(string)
    }))
  })
  default = null

  validation {
    condition = var.rank_tracking == null ? true : alltrue([
      for provider in var.rank_tracking.providers :
      contains(["dataforseo", "google_search", "serpapi", "serper"], provider.name)
    ])
    error_message = "The providers are dataforseo, google_search, serpapi and serper."
  }

  validation {
    condition = var.rank_tracking == null ? true : alltrue([
      for provider in var.rank_tracking.providers :
      provider.price_per_thousand_minor >= 0 && floor(provider.price_per_thousand_minor) == provider.price_per_thousand_minor
    ])
    error_message = "A price is a whole number of minor units for a thousand pages."
  }
}

variable "rate_limits" {
  description = "Calls a minute by rate tier; tiers left out keep the values of document 004. Failures are refused credentials of one address."
  type = object({
    ai        = optional(number)
    expensive = optional(number)
    failures  = optional(number)
    standard  = optional(number)
  })
  default = {}

  validation {
    condition = alltrue([
      for limit in values(var.rate_limits) : limit == null ? true : (limit >= 1 && floor(limit) == limit)
    ])
    error_message = "A rate limit is a whole number, 1 or more."
  }
}

variable "redis" {
  description = "Memorystore for caches, rates and breakers; null goes without (slower, never wrong)."
  type = object({
    memory_gb = optional(number, 1)
    tier      = optional(string, "STANDARD_HA")
  })
  default = null

  validation {
    condition     = var.redis == null ? true : var.redis.memory_gb >= 1 && var.redis.memory_gb <= 300
    error_message = "Redis has 1 to 300 GB."
  }

  validation {
    condition     = var.redis == null ? true : contains(["BASIC", "STANDARD_HA"], var.redis.tier)
    error_message = "The tier of Redis is BASIC or STANDARD_HA."
  }
}

variable "region" {
  description = "Region of the functions and of the tenants' data sets."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region is a name such as us-central1."
  }
}

variable "runtime" {
  description = "Runtime of the functions."
  type        = string
  default     = "python311"

  validation {
    condition     = can(regex("^python3(1[1-9])$", var.runtime))
    error_message = "The runtime is python311 or newer."
  }
}

variable "tenants" {
  description = "Tenants whose data sets Terraform makes and keeps; others are provisioned at run time."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for tenant in var.tenants : can(regex("^[a-z0-9][a-z0-9_]{0,62}$", tenant))])
    error_message = "A tenant id has lower-case letters, digits and underscores."
  }
}
