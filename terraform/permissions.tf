# What a declared permission becomes: the only place where roles are chosen.
# `triggers/manifest.json` gives each permission of each function a reason.

locals {
  # A permission that another one of the same function includes grants nothing.
  _included = {
    "bigquery:read"  = "bigquery:write"
    "firestore:read" = "firestore:write"
    "storage:read"   = "storage:write"
  }

  # Firestore knows no finer resource than the database. Whose documents a
  # request may touch is decided in common/, and by firestore.rules for clients.
  _this_database = "resource.name == \"projects/${var.project_id}/databases/${var.database_id}\""

  # Tenants' data sets come into being at run time, so no binding can name them
  # one by one; but all their names begin as the declarations say, and the
  # condition ends there: other data sets of the project stay out of reach.
  _datasets = distinct([for relation in values(local.declarations.warehouse) : relation.dataset])
  _our_data_sets = join(" || ", [
    for dataset in local._datasets :
    strcontains(dataset, "{tenant_id}")
    ? "resource.name.startsWith(\"projects/${var.project_id}/datasets/${split("{tenant_id}", dataset)[0]}\")"
    : join(" || ", [
      "resource.name == \"projects/${var.project_id}/datasets/${dataset}\"",
      "resource.name.startsWith(\"projects/${var.project_id}/datasets/${dataset}/\")",
    ])
  ])

  # Running a query or a load is a right on the project and reads no data.
  # Creating a data set is one, too; whoever creates one owns that one only.
  # Accounts of people have no resource of their own either, and no smaller role
  # sets custom claims or ends sessions; it is for functions that hear of
  # changes and for the one that erases tenants, none of which takes requests.
  _project_roles = {
    "bigquery:administer" = {
      "roles/bigquery.user"       = null
      "roles/bigquery.dataEditor" = local._our_data_sets
    }
    # Deleting a data set takes its owner's role; the functions that create data
    # sets own their own, and the one that erases tenants owns none by itself.
    "bigquery:erase" = { "roles/bigquery.dataOwner" = local._our_data_sets }
    "bigquery:read" = {
      "roles/bigquery.jobUser"    = null
      "roles/bigquery.dataViewer" = local._our_data_sets
    }
    "bigquery:write" = {
      "roles/bigquery.jobUser"    = null
      "roles/bigquery.dataEditor" = local._our_data_sets
    }
    "firebase:administer" = { "roles/firebaseauth.admin" = null }
    "firestore:read"      = { "roles/datastore.viewer" = local._this_database }
    "firestore:write"     = { "roles/datastore.user" = local._this_database }
  }

  # Writing includes replacing and deleting: reports are made anew.
  _bucket_roles = {
    "storage:read"  = "roles/storage.objectViewer"
    "storage:write" = "roles/storage.objectUser"
  }

  # What is archived can be added to and read, and neither replaced nor deleted:
  # whoever may write the database alone cannot make the copies agree with it.
  _archive_roles = {
    create = "roles/storage.objectCreator"
    read   = "roles/storage.objectViewer"
  }

  # Buckets that functions use; the others of document 004 wait for theirs.
  _function_buckets = toset(["content", "reports"])

  # Every permission of every function with its reason; those that another one
  # includes are left out.
  needs = {
    for name, function in local.functions : name => {
      for permission, reason in function.needs : permission => reason
      if !contains(keys(function.needs), lookup(local._included, permission, "none"))
    }
  }

  project_roles = {
    for name, needs in local.needs : name => merge([
      for permission, reason in needs : {
        for role, expression in lookup(local._project_roles, permission, {}) : "${permission} ${role}" => {
          expression = expression
          permission = permission
          reason     = reason
          role       = role
        }
      }
    ]...)
  }

  bucket_roles = {
    for name, needs in local.needs : name => merge(concat([
      for permission, reason in needs : {
        for bucket in local._function_buckets : "${permission} ${bucket}" => {
          bucket = module.bucket[bucket].name
          role   = local._bucket_roles[permission]
        }
      } if contains(keys(local._bucket_roles), permission)
      ], [
      for permission, reason in needs : {
        for purpose, role in local._archive_roles : "${permission} ${purpose}" => {
          bucket = module.bucket["audit"].name
          role   = role
        }
      } if permission == "storage:archive"
    ])...)
  }

  publishes = {
    for name, needs in local.needs : name => toset([
      for permission in keys(needs) : trimprefix(permission, "pubsub:publish:")
      if startswith(permission, "pubsub:publish:")
    ])
  }

  enqueues = {
    for name, needs in local.needs : name => toset([
      for permission in keys(needs) : trimprefix(permission, "tasks:enqueue:")
      if startswith(permission, "tasks:enqueue:")
    ])
  }

  uses_redis = toset([
    for name, needs in local.needs : name
    if var.redis != null && contains(keys(needs), "redis:use")
  ])

  # A signed link is signed by IAM as the function's own account, which therefore
  # may make signatures of itself and of nobody else.
  signs = toset([
    for name, needs in local.needs : name if contains(keys(needs), "storage:sign")
  ])

  # Tenants' data keys are wrapped by one key; whoever may use it may do nothing
  # else in KMS.
  uses_kms = toset([
    for name, needs in local.needs : name if contains(keys(needs), "kms:use")
  ])

  # A permission that nothing here knows must not be ignored in silence.
  unknown_permissions = distinct(flatten([
    for name, needs in local.needs : [
      for permission in keys(needs) : "${name}: ${permission}"
      if !anytrue([
        contains(keys(local._project_roles), permission),
        contains(keys(local._bucket_roles), permission),
        permission == "kms:use",
        permission == "redis:use",
        permission == "storage:archive",
        permission == "storage:sign",
        startswith(permission, "pubsub:publish:"),
        startswith(permission, "tasks:enqueue:"),
      ])
    ]
  ]))
}
