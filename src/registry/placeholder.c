typedef int yr_registry_placeholder;
